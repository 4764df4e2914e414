"""The command `erlen`: `erlen run package:app`."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Optional

import click

from . import __version__, loading, reloading
from .install import install_as_flask_socketio

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["main", "twins"]


@click.group(context_settings={"auto_envvar_prefix": "ERLEN", "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="erlen %(version)s", allow_from_autoenv=False)
def main() -> None:
    """Serves Flask applications with Socket.IO."""


@main.command()
@click.argument("app", envvar=["ERLEN_APP", "FLASK_APP"], default="app")
@click.option(
    "--host",
    "-h",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; 0.0.0.0 is all of them.",
)
@click.option("--port", "-p", default=5000, show_default=True, help="The port; 0 is any that is free.")
@click.option(
    "--reload/--no-reload", default=None, help="Start anew when a file changes. Default: as --debug."
)
@click.option("--debug/--no-debug", default=None, help="Flask's debug mode.")
@click.option("--threads", default=100, show_default=True, help="The most that handle pages at one time.")
@click.option("--certfile", help="TLS: a PEM file with the certificate and its chain.")
@click.option("--keyfile", help="TLS: a PEM file with the key.")
@click.option("--app-dir", default=".", show_default=True, help="The folder to import the application from.")
def run(
    app: str,
    host: str,
    port: int,
    reload: Optional[bool],
    debug: Optional[bool],
    threads: int,
    certfile: Optional[str],
    keyfile: Optional[str],
    app_dir: str,
) -> None:
    """Serves APP: `package.module`, `module:app`, or `module:create_app()`.

    The application runs unchanged: in it, `flask_socketio` is Erlen. Each option has a twin in the environment: ERLEN_APP, and
    ERLEN_RUN_HOST, ERLEN_RUN_PORT and so on.
    """
    sys.path.insert(0, os.path.abspath(app_dir))
    install_as_flask_socketio()
    if debug is not None:
        os.environ["FLASK_DEBUG"] = "1" if debug else "0"
    try:
        loaded, stands_in = loading.load(app), False
    except (Exception, loading.RunWhileLoading) as error:
        # A reloader's child waits for the next change of a file.
        loaded, stands_in = _without(error), True
    try:
        application, socketio = loading.served(loaded, app)
        socketio.run(
            application,
            host=host,
            port=port,
            debug=debug,
            use_reloader=True if stands_in else reload,
            threads=threads,
            certfile=certfile,
            keyfile=keyfile,
        )
    except loading.MISCONFIGURED as error:
        sys.exit(_refused(str(error)))


def twins() -> list[str]:
    """The variables of the environment that `erlen run` reads."""
    options = [option.name for option in run.params if isinstance(option, click.Option) and option.name]
    return ["ERLEN_APP", *(f"ERLEN_RUN_{name.upper()}" for name in options)]


def _without(error: BaseException) -> Flask:
    """Says why the application cannot be loaded. For the reloader's child there is another one in its place, others end here."""
    said: Optional[str] = str(error.code if isinstance(error, SystemExit) else error)
    if isinstance(error, Exception) and not isinstance(error, loading.NotFound):
        said = loading.sentence(error)
    if not reloading.is_child():
        if said is None:
            raise error
        sys.exit(_refused(said))
    if said is None:
        traceback.print_exception(type(error), error, error.__traceback__)
    click.echo(f"erlen: {said or 'the application cannot be loaded'}", err=True)
    failure = error if isinstance(error, Exception) else RuntimeError(said)
    trace = failure.__traceback__

    def pages(environ: dict[str, Any], start_response: Any) -> Any:
        raise failure.with_traceback(trace)

    return loading.stand_in(pages)


def _refused(said: str) -> int:
    """Says what is wrong. The exit code."""
    click.echo(f"erlen: {said}", err=True)
    return 2
