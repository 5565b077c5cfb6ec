import Ajv, { type ErrorObject, type Schema } from "ajv";
import { Misconfigured } from "./errors";

const OPTIONS = { useDefaults: true, keywords: ["kong"] };
// `kong` is the keyword of schema/fields.ts for what concerns Kong's schema language alone.
const ajv = new Ajv(OPTIONS);
const thorough = new Ajv({ ...OPTIONS, allErrors: true });

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
	const errorsOf = compiled(ajv, schema);
	return (data) => {
		const [error] = errorsOf(data);
		if (error) throw new Misconfigured(describe(error, subject));
		return data as T;
	};
}

/** What is wrong with a field of a configuration. */
export interface Fault {
	/** The field's name; empty when it is none of a field. */
	field: string;
	/** In words, never with the value. */
	message: string;
}

/**
 * Compiles a JSON Schema to a check that names every member at fault.
 *
 * @param schema JSON Schema (draft-07); its defaults are filled into what is checked
 * @param subject what the checked object is called in messages
 */
export function faultFinder(
	schema: Schema,
	subject: string,
): (data: unknown) => Fault[] {
	const errorsOf = compiled(thorough, schema);
	return (data) =>
		errorsOf(data)
			// Says the same again of the member's name that it follows.
			.filter(({ keyword }) => keyword !== "propertyNames")
			.map((error) => ({
				field:
					error.instancePath.split("/")[1] ??
					error.params.missingProperty ??
					"",
				message: describe(error, subject),
			}));
}

function compiled(
	compiler: Ajv,
	schema: Schema,
): (data: unknown) => ErrorObject[] {
	let validate: ReturnType<Ajv["compile"]> | undefined;
	return (data) => {
		// Compiled when first needed: a dump of the schema must not wait for it.
		validate ??= compiler.compile(schema);
		validate(data);
		return validate.errors ?? [];
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
