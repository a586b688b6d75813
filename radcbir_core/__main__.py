"""``python -m radcbir_core``: the commands, or what to do where a package that all of them need is missing."""

import sys


def run() -> int:
    """Run what the command line says; the exit code."""
    try:
        from radcbir_core.cli import main
    except ImportError as error:
        from radcbir_core.doctor import examine_plainly
        from radcbir_core.installation import INSTALL

        if sys.argv[1:2] == ["doctor"]:
            return examine_plainly()
        advice = f"{INSTALL.rstrip('.')}, or python -m radcbir_core doctor to see what is missing."
        print(f"Error: Expected the packages that RadCBIR needs, but import gave: {error}. {advice}", file=sys.stderr)
        return 2
    return main()


if __name__ == "__main__":
    sys.exit(run())
