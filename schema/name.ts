/** The plugin's name in Kong's configuration. */
export const Name = "x-custom-jwt";
