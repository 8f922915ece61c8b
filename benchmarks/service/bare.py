"""The least that FastAPI can do, for scale: the same server, one reply, and a body that is counted.

python -m benchmarks.service.bare PORT
"""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()
REPLY = {"items": [{"id": f"ds_{number:024x}", "name": "chest"} for number in range(20)]}


@app.get("/api/v1/{path:path}")
def read(path: str) -> dict[str, Any]:
    """As long a reply as a page of datasets, from no database."""
    return REPLY


@app.put("/api/v1/{path:path}")
async def take(path: str, request: Request) -> dict[str, int]:
    """Count the bytes of a body, and keep none."""
    return {"size": sum([len(piece) async for piece in request.stream()])}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
