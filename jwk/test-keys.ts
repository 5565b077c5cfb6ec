import type { PrivateJwk } from "./members";
import { thumbprintOf } from "./thumbprint";

/** Thumbprints of the private keys in `test-keys/`, which come with the package; a test compares them with the files. */
export const TEST_KEYS = [
	"SaDCV6mOhJqlpFvv_2ZjJ4oH4NJHVIETH9kvjCz1uUA",
	"ALWA19IHq9Ge30qGdsD_P4HUbDL0wFKWN2bV5BsIuXc",
	"rc6qQ9wQ6B8gE73mh2ZcGzu1GwJXQU-6ZPp8xfTNwcI",
	"ZY1b9QM-2rVKSoSY4FgpD68hDKkyTY0OG6TGlPWgXLE",
	"0ix2qvYbqARbzYcyoebFsAiKLU9o07HmflLeiOuH3EQ",
	"GN0XkOiufLvFvltS3j8umoATVBv2duyiUCeN-G0n4jg",
	"mQDANuduVcFlt1RbQ2LhRFkjWvOq0v0T7RLH9N9UA2U",
	"5xVHeCwk87Hw-XbJTazkfAtQSwGyp89kYUldJOxZdLQ",
];

/** Whether a key in canonical form is one that everybody has, whatever its `kid` and `alg`. */
export function isTestKey(jwk: Pick<PrivateJwk, "kty">): boolean {
	return TEST_KEYS.includes(thumbprintOf(jwk));
}
