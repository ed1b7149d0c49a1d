# docker build --tag spectrace . (docs/guide-docker.md)
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE requirements-dev.lock ./
COPY src src
# The lock bounds the versions to those that the tests ran with; it adds nothing.
RUN python -m venv --without-pip /opt/spectrace \
    && pip --python /opt/spectrace install --no-cache-dir --disable-pip-version-check \
        --constraint requirements-dev.lock '.[serve,parquet]'

FROM python:3.11-slim
COPY --from=build /opt/spectrace /opt/spectrace
# Libraries that keep settings look for them at home: in a container that is read-only, /tmp is what there is.
ENV PATH=/opt/spectrace/bin:$PATH HOME=/tmp
USER 65532:65532
WORKDIR /pictures
ENTRYPOINT ["spectrace"]
CMD ["--help"]
