# A Kong data plane with the plugin inside, and the sample backend.
#   docker build --target kong .                                              open-source Kong
#   docker build --target kong --build-arg KONG_IMAGE=kong/kong-gateway:3.9 . Kong Enterprise
ARG KONG_IMAGE=kong:3.9
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm run build:executable

FROM ${NODE_IMAGE} AS backend
COPY --from=build /build/dist/backend.js /opt/backend.js
COPY --from=build /build/dist/inspector /opt/inspector
USER node
EXPOSE 9000
CMD ["node", "/opt/backend.js"]

FROM ${KONG_IMAGE} AS kong
COPY --from=build /build/dist/x-custom-jwt-pluginserver /usr/local/bin/x-custom-jwt-pluginserver
# Absolute paths, as Kong's working directory is another. The socket is Kong's default for this name.
ENV KONG_PLUGINS=bundled,x-custom-jwt \
    KONG_PLUGINSERVER_NAMES=x_custom_jwt \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_SOCKET=/usr/local/kong/x_custom_jwt.socket \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_START_CMD="/usr/local/bin/x-custom-jwt-pluginserver --socket /usr/local/kong/x_custom_jwt.socket" \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_QUERY_CMD="/usr/local/bin/x-custom-jwt-pluginserver --dump"
