"""A Flask application with one plain route, for servers of pages."""

from flask import Flask

app = Flask(__name__)


@app.route("/")
def index():
    return "hello"
