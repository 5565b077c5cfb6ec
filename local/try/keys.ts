/** Which key signs when a file is tried: a reference to a vault cannot be followed here. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { JWK } from "jose";
import { type Configuration, findJwks } from "../../declarative/model";
import { isFilledIn, isReference } from "../../declarative/references";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { generateKey } from "../../jwk/generate";
import { publicHalf } from "../../jwk/public-half";
import { importSigningKey } from "../../jwk/signing-key";
import type { PluginEntity } from "../gateway/entities";

/** The key of a plugin entry. */
export interface EntryKey {
	/** The private JWK, or the text that the file has in its place. */
	text: string;
	/** The public half of a throw-away key, which nobody has published yet. */
	throwAway?: JWK;
	/** What to say of it; nothing when the key is in the file. */
	remark?: string;
}

/**
 * Finds the key that stands behind a reference: in the environment, in `keys/private-jwk.json` beside the file, or a
 * throw-away one.
 *
 * @throws naming where a key comes from that cannot sign
 */
export async function keyOf(
	configuration: Configuration,
	{ config, file: source }: PluginEntity,
): Promise<EntryKey> {
	const text = String(config.private_jwk);
	if (!isReference(text)) return { text };
	const variable = variableOf(text);
	const value = variable === undefined ? undefined : process.env[variable];
	if (variable && value)
		return {
			text: usable(value, variable, config),
			remark: `the key of ${variable} signs`,
		};
	const file = join(dirname(source), "keys/private-jwk.json");
	if (existsSync(file))
		return {
			text: usable(readFileSync(file, "utf8"), file, config),
			remark: `the key of ${file} signs, in place of ${text}`,
		};
	const jwk = await generateKey(algorithmFor(configuration, config), {
		...(typeof config.active_kid === "string" && { kid: config.active_kid }),
	});
	return {
		text: JSON.stringify(jwk),
		throwAway: publicHalf(jwk),
		remark: `A THROW-AWAY KEY signs, in place of ${text}: ${
			variable
				? `${variable} is not set, and`
				: "that vault is not asked here, and"
		} there is no ${file}. Its public half is added to the JWK Set that this gateway serves`,
	};
}

function usable(text: string, origin: string, config: object): string {
	try {
		importSigningKey(text, config);
		return text;
	} catch (error) {
		throw new Error(`${origin}: ${(error as Error).message}`);
	}
}

/** The environment variable that a reference names. */
function variableOf(reference: string): string | undefined {
	const [, name] = /^\{vault:\/\/env\/([\w-]+)/.exec(reference) ?? [];
	if (name) return name.replaceAll("-", "_").toUpperCase();
	return isFilledIn(reference)
		? /env\s+"(\w+)"/.exec(reference)?.[1]
		: undefined;
}

/** The algorithm that backends expect: the entry's own, else that of the first published key. */
function algorithmFor(
	configuration: Configuration,
	{ algorithm, jku }: Record<string, unknown>,
): string {
	const published = findJwks(configuration, jku).served?.body.value ?? "";
	const wanted = [algorithm, algorithmIn(published)];
	return (
		PUBLIC_KEY_ALGORITHMS.find((known) => wanted.includes(known)) ?? "ES256"
	);
}

function algorithmIn(jwks: string): unknown {
	try {
		return JSON.parse(jwks).keys[0].alg;
	} catch {
		return undefined;
	}
}
