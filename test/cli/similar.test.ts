import { mostSimilar } from "../../cli/similar";
import { properties } from "../../schema/kong";

const FIELDS = properties.map(([name]) => name);

test.each([
	["auth_methodz", "auth_methods"],
	["auth_method", "auth_methods"],
	["authMethods", "auth_methods"],
	["privat_jwk", "private_jwk"],
	["private-jwk", "private_jwk"],
	["expires_ni", "expires_in"],
	["jkuu", "jku"],
])("%s is most similar to %s", (name, meant) => {
	expect(mostSimilar(name, FIELDS)).toBe(meant);
});

test.each(["colour", "x", "", "headers", "x".repeat(100)])(
	"nothing is similar to %j",
	(name) => {
		expect(mostSimilar(name, FIELDS)).toBeUndefined();
	},
);
