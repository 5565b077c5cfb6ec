# A Kong data plane with the plugin inside, and the sample backend. Any platform Node.js and Kong have images for:
#   docker build --target kong .                                                                 open-source Kong
#   docker build --target kong --build-arg KONG_IMAGE=kong/kong-gateway:3.9.1.2-ubuntu .         Kong Enterprise
#   docker buildx build --target kong --platform linux/amd64,linux/arm64 .
ARG KONG_IMAGE=kong:3.9.1-ubuntu
ARG NODE_IMAGE=node:22.21.1-bookworm-slim

# What is built is JavaScript, the same for all platforms.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS build
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
ARG KONG_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Kong Gateway with x-custom-jwt" \
      org.opencontainers.image.description="Kong data plane that hands the backend a JWT that says whom Kong authenticated" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${KONG_IMAGE}"
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=build /build/dist/x-custom-jwt-pluginserver.js /opt/x-custom-jwt-pluginserver.js
# Absolute paths, as Kong's working directory is another. The socket is Kong's default for this name.
ENV KONG_PLUGINS=bundled,x-custom-jwt \
    KONG_PLUGINSERVER_NAMES=x_custom_jwt \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_SOCKET=/usr/local/kong/x_custom_jwt.socket \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_START_CMD="/usr/local/bin/node /opt/x-custom-jwt-pluginserver.js --socket /usr/local/kong/x_custom_jwt.socket" \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_QUERY_CMD="/usr/local/bin/node /opt/x-custom-jwt-pluginserver.js --dump"
USER kong
