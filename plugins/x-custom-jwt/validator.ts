import type { Ajv, ErrorObject, Schema } from "ajv";
import type { Fault } from "../../core/settings";

let ajv: Ajv | undefined;

/** The validator, loaded when first needed: a dump of the schema and the socket must not wait for it. */
function loadAjv(): Ajv {
	const { Ajv } = require("ajv") as typeof import("ajv");
	return new Ajv({
		useDefaults: true,
		allErrors: true,
		// Gives errors the schema they came from.
		verbose: true,
		// Of schema/fields.ts: what concerns Kong's schema language alone, and `pattern` in words.
		keywords: ["kong", "expected"],
	});
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
	const errorsOf = compiled(schema);
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

function compiled(schema: Schema): (data: unknown) => ErrorObject[] {
	let validate: ReturnType<Ajv["compile"]> | undefined;
	return (data) => {
		ajv ??= loadAjv();
		validate ??= ajv.compile(schema);
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
	if (error.keyword === "pattern" && error.parentSchema?.expected)
		return `${member} must be ${error.parentSchema.expected}`;
	if (allowedValue) return `${member} must be ${allowedValue}`;
	return `${member} ${error.message}`;
}
