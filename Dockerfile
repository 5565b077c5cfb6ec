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
RUN npm run build && npm ci --omit=dev

FROM ${NODE_IMAGE} AS backend
COPY --from=build /build/dist/backend.js /opt/backend.js
USER node
EXPOSE 9000
CMD ["node", "/opt/backend.js"]

FROM ${KONG_IMAGE} AS kong
USER root
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /build/node_modules /opt/x-custom-jwt/node_modules
COPY --from=build /build/dist/plugins /opt/x-custom-jwt/plugins
USER kong
# Absolute paths, as Kong's working directory is another; no -v, which would log the private key.
ENV KONG_PLUGINS=bundled,x-custom-jwt \
    KONG_PLUGINSERVER_NAMES=x_custom_jwt \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_SOCKET=/usr/local/kong/x_custom_jwt.socket \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_START_CMD="/usr/local/bin/node /opt/x-custom-jwt/node_modules/kong-pdk/bin/kong-js-pluginserver --plugins-directory /opt/x-custom-jwt/plugins --kong-prefix /usr/local/kong --sock-name x_custom_jwt.socket" \
    KONG_PLUGINSERVER_X_CUSTOM_JWT_QUERY_CMD="/usr/local/bin/node /opt/x-custom-jwt/node_modules/kong-pdk/bin/kong-js-pluginserver --plugins-directory /opt/x-custom-jwt/plugins --dump-all-plugins"
