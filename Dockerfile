# The image of every step; only the programs that are verified run in another, sandbox/Dockerfile's.
# It holds the libraries: the code of a run comes with the run, in Metaflow's package.
#
#   docker build --tag rasft:cuda --build-arg REVISION=$(git rev-parse HEAD) .
#   docker build --tag rasft:cpu --build-arg DEVICE=cpu .
#
# Versions are the lock's: locks/cuda.txt or locks/cpu.txt, or the one that LOCK names. pip's settings
# for a mirror are build arguments of the first stage, so they are in no layer and no history of the
# result. A folder `wheels` beside this file is searched before any index.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS libraries
ARG DEVICE=cuda
ARG LOCK=${DEVICE}
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_NO_INDEX
WORKDIR /build
COPY pyproject.toml locks/*.txt wheel[s] ./
RUN python3 -m venv --without-pip /opt/venv && python3 -c "import tomllib; \
project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
extras = project['optional-dependencies']; \
names = extras['cuda'][0].split('[')[1].rstrip(']').split(',') if '${DEVICE}' == 'cuda' else []; \
print(*project['dependencies'], *(each for name in names for each in extras[name]), sep='\n')" \
    > requirements.txt
# A CPU image takes torch's CPU build where an index has it: gigabytes less. Bytecode is written
# for what the steps import, a tenth of all there is; a pod could not write it.
# Two folders, so two layers: torch and the CUDA libraries change seldom and are most of the size.
RUN torch=$(sed -n 's/^torch==//p' ${LOCK}.txt) && \
    pip="python3 -m pip --python /opt/venv/bin/python install -q --no-compile --no-cache-dir" && \
    pip="$pip --find-links ." && \
    if [ "${DEVICE}" != cpu ] || ! $pip "torch==$torch+cpu"; then $pip "torch==$torch"; fi && \
    $pip -c ${LOCK}.txt -r requirements.txt && \
    /opt/venv/bin/python -c "import accelerate.commands.launch, boto3, datasets, docker, gguf, \
math_verify, matplotlib.pyplot, metaflow.cli, metaflow.cards, metaflow.plugins, pandas, sympy, \
torch.distributed.run, transformers.models.auto.modeling_auto, \
transformers.models.llama.modeling_llama, transformers.models.qwen2.modeling_qwen2, \
transformers.generation.utils" && \
    cd /opt/venv/lib/python3.*/site-packages && mkdir -p "/large/$PWD" && \
    for each in torch nvidia triton vllm; do \
        if [ -d $each ]; then mv $each "/large/$PWD/"; fi; \
    done

FROM ${BASE_IMAGE}
ARG DEVICE=cuda
# triton compiles its launchers with the C compiler when a kernel is first used
RUN if [ "${DEVICE}" = cuda ]; then \
        apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && \
        rm -rf /var/lib/apt/lists/*; \
    fi
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} + && \
    useradd --uid 10001 --create-home rasft
COPY --from=libraries /large/ /
COPY --from=libraries /opt/venv /opt/venv

# Metaflow's pods then install nothing when they start; threads as in flows/bootstrap.py
ENV PATH=/opt/venv/bin:$PATH LANG=C.UTF-8 PYTHONUNBUFFERED=1 USER=rasft \
    METAFLOW_SKIP_INSTALL_DEPENDENCIES=1
WORKDIR /home/rasft
# a number, so that Kubernetes can see that it is not root
USER 10001:10001
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rasft" \
      org.opencontainers.image.description="Libraries of the RASFT workflow" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
