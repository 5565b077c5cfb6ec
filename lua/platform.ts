/** What the core needs, by the modules of Kong's sandbox. */
import * as cjsonSafe from "cjson.safe";
import * as uuids from "kong.tools.uuid";
import * as base64 from "ngx.base64";
import * as sha256 from "resty.sha256";
import type { Claims, Platform } from "../core/platform";
import { readCertificate } from "./certificate";
import { fold, isUtf8, isVisible, isWellFormed, printable } from "./text";

const cjson = cjsonSafe.new();
cjson.decode_array_with_array_mt(true);
cjson.encode_escape_forward_slash(false);
// What Kong's own has, and the most that there is.
cjson.encode_number_precision(16);

function decodeJson(text: string): unknown {
	const [value, error] = cjson.decode(text);
	if (error !== undefined) throw "not JSON";
	return value;
}

function encodeJson(value: unknown): string {
	const [json] = cjson.encode(value);
	if (json === undefined) throw "a value that JSON does not have";
	return json;
}

function objectOf(members: Claims): Record<string, unknown> {
	const object: Record<string, unknown> = {};
	for (const [name, value] of members) object[name] = value;
	return object;
}

/** SHA-256 of bytes. */
export function digest(bytes: string): string {
	const hash = sha256.new();
	hash.update(bytes);
	return hash.final();
}

export const luaPlatform: Platform = {
	decodeJson,
	encodeJson,
	// In any order: to write one after the other takes three times as long.
	encodeMembers: (members: Claims) => encodeJson(objectOf(members)),
	object: objectOf,
	decodeBase64url: (text) => {
		const bytes = base64.decode_base64url(text);
		return bytes !== undefined && isUtf8(bytes) ? bytes : undefined;
	},
	encodeBase64url: (text) => base64.encode_base64url(text),
	hash: digest,
	uuid: () => uuids.uuid(),
	now: () => ngx.now() * 1000,
	random: () => Math.random(),
	readCertificate,
	isWellFormed,
	isVisible,
	quote: (text) => encodeJson(printable(text)),
	fold,
};
