import type { Log } from "./log";

/** `{vault://env/my-secret}` stands for the environment variable `MY_SECRET`. */
const REFERENCE = /^\{vault:\/\/.*\}$/;
const ENVIRONMENT = /^\{vault:\/\/env\/([\w-]+)\}$/;

/** Whether Kong takes a value of a referenceable field for a vault reference. */
export function isReference(value: unknown): value is string {
	return typeof value === "string" && REFERENCE.test(value);
}

/**
 * What a vault reference stands for, taken from the gateway's environment; an empty text, as on Kong, when the variable
 * is not set (Kong fact).
 *
 * @throws when the reference is to another vault
 */
export function resolveReference(reference: string, log: Log): string {
	const [, name] = ENVIRONMENT.exec(reference) ?? [];
	if (!name)
		throw new Error(`${reference} is not supported by the local gateway`);
	const value = process.env[name.replaceAll("-", "_").toUpperCase()];
	// Kong's words.
	if (value === undefined)
		log(
			"warn",
			`unable to resolve reference ${reference} (could not get value from external vault (no value found))`,
		);
	return value ?? "";
}
