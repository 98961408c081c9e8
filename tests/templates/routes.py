"""Path lists of public APIs, as their documentation publishes them: facts, abridged. `{name:kind}` is a parameter."""

ROUTES = {
    "api.github.com": """
        /repos/{owner:name}/{repo:name} /repos/{owner:name}/{repo:name}/issues /repos/{owner:name}/{repo:name}/issues/{n:int}
        /repos/{owner:name}/{repo:name}/issues/{n:int}/comments /repos/{owner:name}/{repo:name}/pulls
        /repos/{owner:name}/{repo:name}/pulls/{n:int} /repos/{owner:name}/{repo:name}/pulls/{n:int}/files
        /repos/{owner:name}/{repo:name}/commits /repos/{owner:name}/{repo:name}/commits/{sha:sha1}
        /repos/{owner:name}/{repo:name}/branches /repos/{owner:name}/{repo:name}/branches/{branch:slug}
        /repos/{owner:name}/{repo:name}/releases /repos/{owner:name}/{repo:name}/releases/latest
        /repos/{owner:name}/{repo:name}/actions/runs /repos/{owner:name}/{repo:name}/actions/runs/{n:int}
        /users/{user:name} /users/{user:name}/repos /users/{user:name}/followers /users/{user:name}/orgs
        /orgs/{org:name} /orgs/{org:name}/repos /orgs/{org:name}/members /orgs/{org:name}/teams
        /user /user/repos /user/issues /search/repositories /search/code /search/users /gists /gists/{id:md5}
        /notifications /rate_limit /emojis /events /meta /licenses /feeds
    """,
    "api.stripe.com": """
        /v1/customers /v1/customers/{id:stripe} /v1/customers/{id:stripe}/sources /v1/charges /v1/charges/{id:stripe}
        /v1/charges/{id:stripe}/capture /v1/payment_intents /v1/payment_intents/{id:stripe}
        /v1/payment_intents/{id:stripe}/confirm /v1/refunds /v1/refunds/{id:stripe} /v1/balance /v1/balance_transactions
        /v1/invoices /v1/invoices/{id:stripe} /v1/invoices/upcoming /v1/subscriptions /v1/subscriptions/{id:stripe}
        /v1/products /v1/products/{id:stripe} /v1/prices /v1/prices/{id:stripe} /v1/coupons /v1/events /v1/events/{id:stripe}
        /v1/disputes /v1/payouts /v1/account /v1/webhook_endpoints /v1/setup_intents
    """,
    "kubernetes.test": """
        /api/v1/namespaces /api/v1/namespaces/{ns:slug} /api/v1/namespaces/{ns:slug}/pods
        /api/v1/namespaces/{ns:slug}/pods/{name:pod} /api/v1/namespaces/{ns:slug}/pods/{name:pod}/log
        /api/v1/namespaces/{ns:slug}/services /api/v1/namespaces/{ns:slug}/services/{name:slug}
        /api/v1/namespaces/{ns:slug}/configmaps /api/v1/namespaces/{ns:slug}/configmaps/{name:slug}
        /api/v1/namespaces/{ns:slug}/secrets /api/v1/namespaces/{ns:slug}/events /api/v1/nodes /api/v1/nodes/{name:slug}
        /api/v1/persistentvolumes /apis/apps/v1/deployments /apis/apps/v1/namespaces/{ns:slug}/deployments
        /apis/apps/v1/namespaces/{ns:slug}/deployments/{name:slug}
        /apis/apps/v1/namespaces/{ns:slug}/deployments/{name:slug}/scale /apis/apps/v1/namespaces/{ns:slug}/replicasets
        /apis/batch/v1/jobs /apis/batch/v1/namespaces/{ns:slug}/jobs /healthz /livez /readyz /version /metrics
    """,
    "petstore.test": """
        /v2/pet /v2/pet/{id:int} /v2/pet/findByStatus /v2/pet/findByTags /v2/pet/{id:int}/uploadImage /v2/store/inventory
        /v2/store/order /v2/store/order/{id:int} /v2/user /v2/user/{name:name} /v2/user/login /v2/user/logout
        /v2/user/createWithList
    """,
    "api.spotify.test": """
        /v1/albums /v1/albums/{id:base62} /v1/albums/{id:base62}/tracks /v1/artists/{id:base62} /v1/artists/{id:base62}/albums
        /v1/artists/{id:base62}/top-tracks /v1/tracks /v1/tracks/{id:base62} /v1/audio-features/{id:base62} /v1/me
        /v1/me/playlists /v1/me/albums /v1/me/player /v1/me/player/play /v1/me/top/artists /v1/playlists/{id:base62}
        /v1/playlists/{id:base62}/tracks /v1/search /v1/browse/categories /v1/browse/new-releases /v1/shows/{id:base62}
        /v1/episodes/{id:base62} /v1/markets /v1/recommendations
    """,
    "gitlab.test": """
        /api/v4/projects /api/v4/projects/{id:int} /api/v4/projects/{id:int}/issues /api/v4/projects/{id:int}/issues/{n:int}
        /api/v4/projects/{id:int}/merge_requests /api/v4/projects/{id:int}/merge_requests/{n:int}
        /api/v4/projects/{id:int}/pipelines /api/v4/projects/{id:int}/pipelines/{n:int} /api/v4/projects/{id:int}/jobs
        /api/v4/projects/{id:int}/repository/branches /api/v4/projects/{id:int}/repository/branches/{b:slug}
        /api/v4/projects/{id:int}/repository/commits/{sha:sha1} /api/v4/groups /api/v4/groups/{id:int} /api/v4/users
        /api/v4/users/{id:int} /api/v4/runners /api/v4/version /api/v4/todos /api/v4/snippets /api/v4/snippets/{id:int}
    """,
    "api.digitalocean.test": """
        /v2/account /v2/droplets /v2/droplets/{id:int} /v2/droplets/{id:int}/actions /v2/droplets/{id:int}/snapshots
        /v2/domains /v2/domains/{name:domain} /v2/domains/{name:domain}/records /v2/domains/{name:domain}/records/{id:int}
        /v2/images /v2/images/{id:int} /v2/volumes /v2/volumes/{id:uuid} /v2/volumes/{id:uuid}/actions
        /v2/kubernetes/clusters /v2/kubernetes/clusters/{id:uuid} /v2/kubernetes/clusters/{id:uuid}/node_pools
        /v2/databases /v2/databases/{id:uuid} /v2/databases/{id:uuid}/users /v2/regions /v2/sizes /v2/firewalls /v2/tags
        /v2/load_balancers /v2/load_balancers/{id:uuid}
    """,
    "shop.test": """
        /v1/products /v1/products/{slug:slug} /v1/products/{slug:slug}/reviews /v1/products/{slug:slug}/related
        /v1/categories /v1/categories/{slug:few} /v1/categories/{slug:few}/products /v1/brands /v1/brands/{brand:slug}
        /v1/carts /v1/carts/{id:uuid} /v1/carts/{id:uuid}/items /v1/orders /v1/orders/{id:order} /v1/orders/{id:order}/invoice
        /v1/search /v1/login /v1/logout /v1/checkout /v1/stock/{sku:sku} /v1/prices/{day:date} /v1/newsletter /health
    """,
    "saas.test": """
        /t/{tenant:few}/users /t/{tenant:few}/users/{id:int} /t/{tenant:few}/invoices /t/{tenant:few}/invoices/{id:int}
        /t/{tenant:few}/settings /t/{tenant:few}/reports /t/{tenant:few}/reports/{day:date} /auth/login /auth/refresh /status
    """,
    "api.news.test": """
        /articles /articles/{slug:title} /articles/{slug:title}/comments /articles/{slug:title}/favorite /tags /profiles/{u:name}
        /profiles/{u:name}/follow /user /users /users/login /feed /archive/{day:date} /sections/{name:few}
        /sections/{name:few}/articles
    """,
    "discord.test": """
        /api/v10/channels/{id:snow} /api/v10/channels/{id:snow}/messages /api/v10/channels/{id:snow}/messages/{m:snow}
        /api/v10/channels/{id:snow}/messages/{m:snow}/reactions /api/v10/guilds/{id:snow} /api/v10/guilds/{id:snow}/members
        /api/v10/guilds/{id:snow}/members/{u:snow} /api/v10/guilds/{id:snow}/roles /api/v10/users/@me
        /api/v10/users/@me/guilds /api/v10/users/{id:snow} /api/v10/invites/{code:code} /api/v10/gateway /api/v10/voice/regions
    """,
}
"""Host to its routes."""
