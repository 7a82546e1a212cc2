# docker build -t brainwavlm .                                                            PyTorch for CPUs
# docker build -t brainwavlm --build-arg TORCH=https://download.pytorch.org/whl/cu128 .   for NVIDIA GPUs (run with --gpus all)
# docker run --rm -v "$PWD:/work" brainwavlm demo --output demo-output
FROM python:3.12-slim
ARG TORCH=https://download.pytorch.org/whl/cpu
RUN apt-get update && apt-get install --yes --no-install-recommends libsndfile1 && rm -rf /var/lib/apt/lists/*
COPY constraints.txt pyproject.toml README.md LICENSE /source/
RUN pip install --no-cache-dir --constraint /source/constraints.txt --index-url "$TORCH" torch
COPY src /source/src
RUN pip install --no-cache-dir /source
RUN useradd --create-home listener
USER listener
WORKDIR /work
ENTRYPOINT ["brainwavlm"]
CMD ["--help"]
