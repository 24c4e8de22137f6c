"""Media types by file extension: the same on every machine, whatever its own tables say."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_TYPE = "application/octet-stream"
"""Of files whose extension is unknown: a browser saves them and guesses nothing (RFC 9110 8.3)."""

_TYPES = {
    "text/html; charset=utf-8": "html htm",
    "text/css; charset=utf-8": "css",
    # RFC 9239: the one type for JavaScript.
    "text/javascript; charset=utf-8": "js mjs cjs",
    "text/plain; charset=utf-8": "txt text log conf ini",
    "text/csv; charset=utf-8": "csv",
    "text/markdown; charset=utf-8": "md markdown",
    "text/vtt; charset=utf-8": "vtt",
    "text/calendar; charset=utf-8": "ics",
    "application/json": "json map json5",
    "application/ld+json": "jsonld",
    "application/geo+json": "geojson",
    "application/manifest+json": "webmanifest",
    "application/xml": "xml xsl xsd",
    "application/xhtml+xml": "xhtml",
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/yaml": "yaml yml",
    "application/toml": "toml",
    "application/wasm": "wasm",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/zip": "zip",
    "application/gzip": "gz tgz",
    "application/x-bzip2": "bz2",
    "application/x-xz": "xz",
    "application/zstd": "zst",
    "application/x-tar": "tar",
    "application/x-7z-compressed": "7z",
    "application/java-archive": "jar",
    "application/epub+zip": "epub",
    "application/x-x509-ca-cert": "pem crt cer der",
    "application/vnd.ms-excel": "xls",
    "application/msword": "doc",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/dash+xml": "mpd",
    "image/png": "png",
    "image/apng": "apng",
    "image/jpeg": "jpg jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/svg+xml": "svg",
    "image/bmp": "bmp",
    "image/tiff": "tif tiff",
    "image/vnd.microsoft.icon": "ico cur",
    "image/heic": "heic",
    "image/jxl": "jxl",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "font/ttf": "ttf",
    "font/otf": "otf",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/webm": "weba",
    "audio/midi": "mid midi",
    "video/mp4": "mp4 m4v",
    "video/mpeg": "mpg mpeg",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/x-msvideo": "avi",
    "video/x-matroska": "mkv",
    "video/mp2t": "ts m2ts",
    "model/gltf-binary": "glb",
    "model/gltf+json": "gltf",
}
_BY_EXTENSION = {
    extension: media_type for media_type, extensions in _TYPES.items() for extension in extensions.split()
}


def media_type(name: str, configured: Mapping[str, str]) -> str:
    """The media type of a file by its name; `configured` (`.ext` to type) comes first, as it stands."""
    _, dot, extension = name.rpartition(".")
    if not dot:
        return DEFAULT_TYPE
    extension = extension.lower()
    return configured.get(f".{extension}") or _BY_EXTENSION.get(extension, DEFAULT_TYPE)
