import { Command } from "@commander-js/extra-typings";
import { json, publicSet } from "../keys";
import { asJson, print, warn } from "../output";

/** `x-custom-jwt keys public` */
export function keysPublic() {
	return (
		new Command("public")
			.description("print one JWK Set of the public halves of keys")
			.argument(
				"<file...>",
				"JWKs, JWK Sets, PEM or certificates; - is standard input",
			)
			// It prints JSON anyway.
			.addOption(asJson())
			.addHelpText(
				"after",
				`
Example, two keys as a JWKS route serves them while one replaces the other:
  $ npx kong-plugin-x-custom-jwt keys public keys/2026/private-jwk.json keys/2027/public-jwk.json`,
			)
			.action((files) => {
				const { set, warnings } = publicSet(files);
				print(json(set));
				warnings.forEach(warn);
			})
	);
}
