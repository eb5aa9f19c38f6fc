"""Face engines: one file = one engine family = one config key.

An engine file defines ``open_engine(settings) -> Engine``. Nothing else imports onnxruntime or insightface.
"""

from matcher.engines.base import DetectedFace, Engine, EngineSettings

__all__ = ["DetectedFace", "Engine", "EngineSettings"]
