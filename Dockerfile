# A Kong data plane with the plugin inside, and the sample backend. Any platform Node.js and Kong have images for:
#   docker build --target kong .    open-source Kong
#   docker build --target kong --build-arg KONG_IMAGE=kong/kong-gateway:3.14.0.13-ubuntu .    Kong Enterprise, or any other image of Kong
#   docker buildx build --target kong --platform linux/amd64,linux/arm64 .

# Other files that name these images have the same versions (a test), and Renovate raises them together and adds digests
# (renovate.json). Node.js is the current LTS. The version of Kong Enterprise is in docker-compose.konnect.yml.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
# This must name an image, not a stage of this file: podman and buildah pull whatever an argument names.
ARG KONG_IMAGE=kong:3.9.3-ubuntu

# The result is JavaScript, which is the same for all platforms. Docker's classic builder does not set BUILDPLATFORM; "linux" alone
# is its own processor there.
FROM --platform=${BUILDPLATFORM:-linux} ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Without the sources there is nothing to prepare.
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM ${NODE_IMAGE} AS node

FROM node AS backend
COPY --from=build /build/dist/backend.js /opt/backend.js
COPY --from=build /build/dist/inspector /opt/inspector
USER node
EXPOSE 9000
CMD ["node", "/opt/backend.js"]

FROM ${KONG_IMAGE} AS kong
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Kong Gateway with x-custom-jwt" \
      org.opencontainers.image.description="Kong data plane that hands the backend a JWT that says whom Kong authenticated" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/LICENSE /opt/node-LICENSE
COPY --from=build /build/dist/x-custom-jwt-pluginserver.js /opt/x-custom-jwt-pluginserver.js
# Node.js runs on this base, and the definitions are there that Kong's side of the ProtoBuf protocol imports.
RUN ["/usr/local/bin/node", "-e", "for (const name of ['descriptor', 'empty', 'struct']) fs.accessSync(`/usr/local/kong/include/google/protobuf/${name}.proto`)"]
# Absolute paths, as Kong's working directory is another. The socket is Kong's default for this name. Signals open no debugger.
ENV KONG_PLUGINS=bundled,x-custom-jwt \
    KONG_PLUGINSERVER_NAMES=x_custom_jwt \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_SOCKET=/usr/local/kong/x_custom_jwt.socket \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_START_CMD="/usr/local/bin/node --disable-sigusr1 /opt/x-custom-jwt-pluginserver.js --socket /usr/local/kong/x_custom_jwt.socket" \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_QUERY_CMD="/usr/local/bin/node /opt/x-custom-jwt-pluginserver.js --dump"
USER kong
