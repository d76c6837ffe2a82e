# Sourced by every RUN of the Dockerfile that reaches a network.
#
# Private CAs and package mirrors come as BuildKit secrets, so that neither a certificate
# nor an address with a password gets into a layer or the image's history:
#   --secret id=ca,src=FILE          certificates to trust, beside or instead of the system's
#   --secret id=index,env=VARIABLE   address of a Python package index
# Proxies come by Docker's predefined arguments (HTTPS_PROXY, NO_PROXY, …), which are not stored either.
set -eu
# The base image has the Python that the environment states; uv must not fetch another.
export UV_PYTHON_DOWNLOADS=never

if [ -s /run/secrets/ca ]; then
    export SSL_CERT_FILE=/run/secrets/ca PIP_CERT=/run/secrets/ca
fi

if [ -s /run/secrets/index ]; then
    UV_DEFAULT_INDEX="$(cat /run/secrets/index)"
    export UV_DEFAULT_INDEX PIP_INDEX_URL="$UV_DEFAULT_INDEX"
fi

# apt_install PACKAGE...: install and leave no lists behind; nothing to do without arguments.
apt_install() {
    if [ "$#" -gt 0 ]; then
        apt-get update -qq -o "Acquire::https::CaInfo=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}"
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
            -o "Acquire::https::CaInfo=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$@" >/dev/null
        rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
    fi
}
