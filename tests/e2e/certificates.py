"""Certificates made by openssl: an authority, and servers that it vouches for."""
import shutil
import ssl
import subprocess

import pytest

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


def openssl(*arguments):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    def __init__(self, folder):
        self.folder, self.key, self.certificate = folder, folder / "ca.key", folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", "/CN=Test authority", "-keyout", self.key, "-out", self.certificate)

    def make(self, name="server", common_name="localhost", kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        """The paths of a certificate with its authority's below it, and of its key."""
        key, request = self.folder / (name + ".key"), self.folder / (name + ".csr")
        extensions, certificate = self.folder / (name + ".ext"), self.folder / (name + ".pem")
        extensions.write_text(NAMES + "\n")
        openssl("req", "-newkey", *kind, "-nodes", "-subj", "/CN=" + common_name, "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                "-days", "30", "-extfile", extensions, "-out", certificate)
        certificate.write_text(certificate.read_text() + self.certificate.read_text())
        key.chmod(0o600)
        return certificate, key

    def context(self, version=None):
        """What a client needs to believe its certificates."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if version:
            context.minimum_version = context.maximum_version = version
        return context
