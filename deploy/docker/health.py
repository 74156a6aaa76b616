#!/opt/codesieve/bin/python
"""Asks a front end for its health over gRPC: exit code 0 where it serves, 1 with one line where it does not.

    codesieve-health [HOST:PORT] [--ca FILE --name NAME] [--cert FILE --key FILE]

For HEALTHCHECK and for Kubernetes' exec probes: Kubernetes' own gRPC probe can't speak TLS. Health needs no token.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ANSWERS_WITHIN_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="codesieve-health")
    parser.add_argument("address", nargs="?", default="127.0.0.1:7420")
    parser.add_argument(
        "--ca", type=Path, help="the CA of the front end's certificate; without it plain text is spoken"
    )
    parser.add_argument("--name", default="localhost", help="the name that the certificate is for")
    parser.add_argument("--cert", type=Path, help="this client's certificate, where the front end wants one")
    parser.add_argument("--key", type=Path, help="its key")
    options = parser.parse_args()
    try:
        if options.ca is None:
            channel = grpc.insecure_channel(options.address)
        else:
            files = (options.ca, options.key, options.cert)
            credentials = grpc.ssl_channel_credentials(*(file.read_bytes() if file else None for file in files))
            channel = grpc.secure_channel(
                options.address, credentials, [("grpc.ssl_target_name_override", options.name)]
            )
        with channel:
            request = health_pb2.HealthCheckRequest()
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=ANSWERS_WITHIN_SECONDS)
    except OSError as error:
        sys.exit(f"codesieve-health: {error.filename}: {error.strerror}")
    except grpc.RpcError as error:
        sys.exit(f"codesieve-health: {options.address} does not answer: {error.code().name}, {error.details()}")
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        sys.exit(f"codesieve-health: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")


if __name__ == "__main__":
    main()
