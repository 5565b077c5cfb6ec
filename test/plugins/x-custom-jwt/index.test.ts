import { version } from "../../../package.json";
import * as entry from "../../../plugins/x-custom-jwt";
import { kongFields } from "../../../schema/kong";

/** Phases that Kong's JavaScript plugin server knows. */
const PHASES = [
	"certificate",
	"rewrite",
	"access",
	"response",
	"preread",
	"log",
] as const;

describe("what Kong's plugin server loads", () => {
	test("has the name that configurations use", () => {
		expect(entry.Name).toBe("x-custom-jwt");
	});

	test("has the version of the package", () => {
		expect(entry.Version).toBe(version);
	});

	test("runs after the security plugins it knows (hmac-auth: 1030) and before acl (950)", () => {
		expect(entry.Priority).toBe(1025);
	});

	test("has a handler for the access phase and no other", () => {
		const handled = PHASES.filter((phase) => phase in entry.Plugin.prototype);
		expect(handled).toEqual(["access"]);
	});

	test("exports the schema of its configuration, which is JSON", () => {
		expect(entry.Schema).toBe(kongFields);
		expect(JSON.parse(JSON.stringify(entry.Schema))).toEqual(entry.Schema);
	});
});
