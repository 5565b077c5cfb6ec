/** What to do with a starter, command by command, for each kind of Kong. */
import { KEY_VARIABLE } from "./starter";

/** The kinds of Kong that `init` prints commands for, with what each is. */
export const TARGETS = {
	docker: "a new Kong in Docker, without database",
	kubernetes: "data planes on Kubernetes, of a Konnect control plane",
	konnect: "a Konnect control plane, with data planes in Docker",
	existing: "a Kong of yours with a database, through its Admin API",
} as const;

/** One of `TARGETS`. */
export type Target = keyof typeof TARGETS;

/** A step: what it does, and its commands. */
interface Step {
	what: string;
	commands: string[];
}

/** What the commands are made of. */
export interface StepOptions {
	/** The declarative configuration. */
	file: string;
	/** The private JWK. */
	privateKey: string;
	/** Commands that send example requests. */
	requests: string[];
	/** Whether clients' certificates are verified by Kong's listener. */
	hasMtls: boolean;
}

const NPX = "npx kong-plugin-x-custom-jwt";

/** The steps for a kind of Kong, each with its commands, as text. */
export function stepsFor(target: Target, options: StepOptions): string {
	const { file, requests, hasMtls } = options;
	const steps = [
		{ what: "check the file", commands: [`${NPX} config check ${file}`] },
		{
			what: "try it on this machine, without Kong",
			commands: [`${NPX} try ${file}`],
		},
		...STEPS[target](options),
		...(hasMtls
			? [
					{
						what: "let Kong's listener verify clients' certificates: set both in its environment, and mount the CA",
						commands: [
							"KONG_NGINX_PROXY_SSL_VERIFY_CLIENT=optional",
							"KONG_NGINX_PROXY_SSL_CLIENT_CERTIFICATE=/etc/kong/client-ca.pem",
						],
					},
				]
			: []),
		{ what: "send a request", commands: requests },
	].filter(({ commands }) => commands.length > 0);
	return steps
		.map(
			({ what, commands }, index) =>
				`${index + 1}. ${what}:\n${commands.map((command) => `   ${command}\n`).join("")}`,
		)
		.join("\n");
}

const STEPS: Record<Target, (options: StepOptions) => Step[]> = {
	docker: ({ file, privateKey }) => [
		{
			what: "build Kong's image with the plugin, in a clone of this repository",
			commands: ["docker build --target kong --tag kong-x-custom-jwt ."],
		},
		{
			what: "run it with the file, less the line that is for decK only",
			commands: [
				"docker run --rm --stop-timeout 15 -p 8000:8000 -p 8443:8443 -e KONG_DATABASE=off -e KONG_LOG_LEVEL=info \\",
				`  -e KONG_DECLARATIVE_CONFIG_STRING="$(grep -v '^_info:' ${file})" \\`,
				`  -e ${KEY_VARIABLE}="$(cat ${privateKey})" kong-x-custom-jwt`,
			],
		},
	],
	kubernetes: ({ file, privateKey }) => [
		...konnectSchema(),
		{
			what: "make the Secret of the private key",
			commands: [
				"kubectl create namespace kong",
				`kubectl -n kong create secret generic x-custom-jwt --from-file=private-jwk=${privateKey}`,
			],
		},
		{
			what: "install the data planes, in a clone of this repository; deploy/kubernetes/README.md says what to fill in first",
			commands: [
				"helm repo add kong https://charts.konghq.com",
				"helm upgrade --install kong kong/kong --version 3.4.1 -n kong -f deploy/kubernetes/values.yaml",
			],
		},
		...konnectSync(file),
	],
	konnect: ({ file, privateKey }) => [
		...konnectSchema(),
		...konnectSync(file),
		{
			what: "start a data plane, in a clone of this repository; docs/deployment.md says which variables name your control plane",
			commands: [
				`${KEY_VARIABLE}="$(cat ${privateKey})" docker compose -f docker-compose.konnect.yml up --build`,
			],
		},
	],
	existing: ({ file, privateKey }) => [
		{
			what: "put the plugin into every Kong node, as docs/deployment.md says, and give it the private key in its environment",
			commands: [`export ${KEY_VARIABLE}="$(cat ${privateKey})"`],
		},
		{
			what: "see what would change, then change it; nothing that you want to keep may be deleted",
			commands: [`deck gateway diff ${file}`, `deck gateway sync ${file}`],
		},
	],
};

function konnectSchema(): Step[] {
	return [
		{
			what: "give the plugin to the control plane",
			commands: [
				`KONNECT_TOKEN=… ${NPX} konnect push --region eu --control-plane ID`,
			],
		},
	];
}

function konnectSync(file: string): Step[] {
	const options =
		"--konnect-addr https://eu.api.konghq.com --konnect-control-plane-name NAME";
	return [
		{
			what: "see what would change, then change it; nothing that you want to keep may be deleted",
			commands: [
				"export DECK_KONNECT_TOKEN=…",
				`deck gateway diff ${file} ${options}`,
				`deck gateway sync ${file} ${options}`,
			],
		},
	];
}
