import { consumerOf } from "../entities";
import { standIn } from "./stand-in";

/** Kong's key-auth, reading the key from a header or the query string. */
export const keyAuth = standIn(
	1250,
	{
		key_names: {
			type: "array",
			items: { type: "string" },
			default: ["apikey"],
		},
	},
	(request, { key_names }, { configuration }) => {
		const key = key_names
			.map((name) => request.header(name) ?? request.url.searchParams.get(name))
			.find(Boolean);
		const headers = { "www-authenticate": "Key" };
		if (!key) return request.error(401, "No API key found in request", headers);
		const credential = configuration.keyAuthCredentials.find(
			(candidate) => candidate.key === key,
		);
		if (!credential) return request.error(401, "Unauthorized", headers);
		request.authenticate(
			consumerOf(configuration, credential),
			credential,
			credential.id,
		);
	},
);
