import { acl } from "./acl";
import { basicAuth } from "./basic-auth";
import { cors } from "./cors";
import { fileLog } from "./file-log";
import { postFunction, preFunction } from "./functions";
import { jwt } from "./jwt";
import { keyAuth } from "./key-auth";
import { mtlsAuth } from "./mtls-auth";
import { openidConnect } from "./openid-connect";
import { requestTermination } from "./request-termination";
import { responseTransformer } from "./response-transformer";
import type { StandIn } from "./stand-in";

/** The bundled plugins the gateway knows, by Kong's names. */
export const standIns: Record<string, StandIn> = {
	acl,
	"basic-auth": basicAuth,
	cors,
	"file-log": fileLog,
	jwt,
	"key-auth": keyAuth,
	"mtls-auth": mtlsAuth,
	"openid-connect": openidConnect,
	"post-function": postFunction,
	"pre-function": preFunction,
	"request-termination": requestTermination,
	"response-transformer": responseTransformer,
};
