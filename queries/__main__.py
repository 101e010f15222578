"""Write the fragments that the template includes."""

from __future__ import annotations

from queries import GENERATED, fragments


def main() -> None:
    """Write every fragment, and delete those of queries that are gone."""
    GENERATED.mkdir(exist_ok=True)
    made = fragments()
    for path in GENERATED.glob("*.yaml"):
        if path.name not in made:
            path.unlink()
    for name, content in made.items():
        (GENERATED / name).write_text(content)


if __name__ == "__main__":
    main()
