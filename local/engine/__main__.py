"""Start the engine: ``python -m local.engine --port 4566``; ``make up`` prepares the environment."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys

from local.engine.patching import PATCHES, PatchedPlaceChanged


def main() -> int:
    """Run the engine until it is told to end; exit status 78 when the emulator is not the pinned one."""
    parser = argparse.ArgumentParser(prog="local.engine", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="port on the loopback interface")
    parser.add_argument(
        "--also-bind", default="", metavar="ADDRESS", help="a further address, for `make sam-local`"
    )
    parser.add_argument("--id", default="", help="what `/_engine/identity` answers, beside the process id")
    parser.add_argument("--directory", default="", help="likewise: the folder of the engine's state file")
    parser.add_argument("--bare", action="store_true", help="without any patch: for tests of the patches")
    parser.add_argument(
        "--list", action="store_true", help="print what is restored, as rows of a table, and end"
    )
    arguments = parser.parse_args()
    # ministack reads its environment at import.
    os.environ["GATEWAY_PORT"] = str(arguments.port)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:  # every HTTP connection and every warm worker takes descriptors
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    application = app
    if not arguments.bare:
        from local.engine import parts

        try:
            application = parts.install(app)
        except PatchedPlaceChanged as error:
            print(error, file=sys.stderr)
            return 78

    if arguments.list:
        for patch in PATCHES:
            print(f"| {patch.restores.rstrip('.')} | `{patch.place}` |")
        return 0

    from local.engine import identity

    application = identity.wrap(application, engine_id=arguments.id, directory=arguments.directory)
    config = Config()
    config.bind = [f"127.0.0.1:{arguments.port}"]
    if arguments.also_bind:
        config.bind.append(f"{arguments.also_bind}:{arguments.port}")
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    asyncio.run(serve(application, config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
