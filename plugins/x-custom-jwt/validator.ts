import Ajv, { type ErrorObject, type Schema, type ValidateFunction } from "ajv";
import { Misconfigured } from "./errors";

// `kong` is the keyword of schema/fields.ts for what concerns Kong's schema language alone.
const ajv = new Ajv({ useDefaults: true, keywords: ["kong"] });

/**
 * Compiles a JSON Schema to a check that names the first member at fault and never its value, as
 * the value may be key material.
 *
 * @param schema JSON Schema (draft-07); its defaults are filled into what is checked
 * @param subject what the checked object is called in messages, e.g. `private_jwk`
 * @returns a function that returns its argument, typed, or throws `Misconfigured`
 */
export function validator<T>(
	schema: Schema,
	subject: string,
): (data: unknown) => T {
	let validate: ValidateFunction<T> | undefined;
	return (data) => {
		// Compiled when first needed: a dump of the schema must not wait for it.
		validate ??= ajv.compile<T>(schema);
		if (validate(data)) return data;
		const error = validate.errors?.[0];
		throw new Misconfigured(error ? describe(error, subject) : subject);
	};
}

function describe(error: ErrorObject, subject: string): string {
	const member = `${subject}${error.instancePath}`;
	const { missingProperty, allowedValues, allowedValue } = error.params;
	if (error.propertyName !== undefined)
		return `${member}/${error.propertyName} cannot be set`;
	if (error.keyword === "false schema") return `${member} is not supported`;
	if (missingProperty) return `${member}/${missingProperty} is missing`;
	if (allowedValues)
		return `${member} must be one of ${allowedValues.join(", ")}`;
	if (allowedValue) return `${member} must be ${allowedValue}`;
	return `${member} ${error.message}`;
}
