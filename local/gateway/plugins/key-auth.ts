import { consumerOf } from "../entities";
import { fromBytes, type GatewayRequest } from "../request";
import { securityStandIn } from "./stand-in";

/** Kong's key-auth, reading the key from a header or the query string. */
export const keyAuth = securityStandIn(
	1250,
	{
		key_names: {
			type: "array",
			items: { type: "string" },
			default: ["apikey"],
		},
		hide_credentials: { type: "boolean", default: false },
		identity_realms: { type: "array" },
		key_in_body: { const: false },
		key_in_header: { const: true },
		key_in_query: { const: true },
	},
	(request, { key_names, hide_credentials }, { configuration }) => {
		const name = key_names.find((one) => keysCalled(one, request).length > 0);
		const headers = { "www-authenticate": "Key" };
		if (!name)
			return request.error(401, "No API key found in request", headers);
		const [key, ...others] = keysCalled(name, request);
		if (others.length > 0)
			return request.error(401, "Duplicate API key found", headers);
		if (!key) return request.error(401, "No API key found in request", headers);
		if (hide_credentials) {
			const { searchParams } = request.url;
			request.setHeader(name, undefined);
			if (searchParams.has(name)) searchParams.delete(name);
		}
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

/** The header's lines, else the query's arguments of that name. */
function keysCalled(name: string, { headers, url }: GatewayRequest): string[] {
	return (
		headers.get(name.toLowerCase())?.map(fromBytes) ??
		url.searchParams.getAll(name)
	);
}
