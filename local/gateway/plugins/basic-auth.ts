import { consumerOf, hashOfPassword } from "../entities";
import { securityStandIn } from "./stand-in";

/** Kong's basic-auth, reading `Authorization` only. */
export const basicAuth = securityStandIn(
	1100,
	{ hide_credentials: { type: "boolean", default: false } },
	(request, { hide_credentials }, { configuration }) => {
		const encoded = /\s*basic\s*(.+)/i.exec(
			request.header("authorization") ?? "",
		)?.[1];
		const [, username, password] =
			/^([^:]+):(.*)$/s.exec(
				Buffer.from(encoded ?? "", "base64").toString("utf8"),
			) ?? [];
		if (hide_credentials) request.setHeader("authorization", undefined);
		// Kong has one of each user name; beside it there may be a throw-away one for trying.
		const credential = configuration.basicAuthCredentials.find(
			(candidate) =>
				candidate.username === username &&
				candidate.password ===
					hashOfPassword(String(password), candidate.consumer.id),
		);
		if (!username || !credential)
			return request.error(401, "Unauthorized", {
				"www-authenticate": 'Basic realm="service"',
			});
		request.authenticate(
			consumerOf(configuration, credential),
			credential,
			username,
		);
	},
);
