/** What Kong's JavaScript plugin server loads (Kong fact: one plugin per server, by these names). */
export { version as Version } from "../../package.json";
export { kongFields as Schema } from "../../schema/kong";
export { Name } from "../../schema/name";
export { refusal } from "./errors";
export { Plugin } from "./plugin";

/**
 * After hmac-auth (1030), the last of the security plugins whose credential the plugin knows, and before
 * acl (950) and the rest.
 */
export const Priority = 1025;
