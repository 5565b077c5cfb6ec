-- The plugin in Kong's own process, for LuaRocks: two Lua files, which come compiled in the package.
rockspec_format = "3.0"
package = "kong-plugin-x-custom-jwt"
version = "0.2.0-1"
source = {
  url = "file://kong-plugin-x-custom-jwt-0.2.0.tgz",
  dir = "package",
}
description = {
  summary = "Kong Gateway plugin: hands the backend a JWT that says whom Kong authenticated, signed by the gateway",
  license = "Apache-2.0",
}
dependencies = { "lua >= 5.1" }
build = {
  type = "builtin",
  modules = {
    ["kong.plugins.x-custom-jwt.handler"] = "dist/lua/handler.lua",
    ["kong.plugins.x-custom-jwt.schema"] = "dist/lua/schema.lua",
  },
}
