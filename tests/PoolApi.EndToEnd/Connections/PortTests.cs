namespace PoolApi.EndToEnd.Connections;

/// <summary>The API and the management routes have two ports, distinguished by the socket and by nothing that a client can send.</summary>
public sealed class PortTests(SharedServices services)
{
    private static readonly (string Method, string Path)[] ManagementRoutes =
        [("GET", "/metrics"), ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/startupz"), ("GET", "/v1/workers")];

    private static readonly (string Method, string Path)[] ApiRoutes =
    [
        ("POST", "/v1/diagnostics/noop"), ("POST", "/v1/diagnostics/inline"), ("POST", "/v1/thumbnails?width=1"),
        ("POST", "/v1/password-hashes"), ("POST", "/v1/password-verifications"), ("GET", "/openapi/v1.json"),
    ];

    [Theory, ClassData(typeof(BothForms))]
    public async Task The_API_port_serves_no_management_route_for_any_Host_header(ServiceForm form)
    {
        var service = await services.InAsync(form);

        await MustAllBe404Async(service.Api, service.Management, ManagementRoutes);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task The_management_port_serves_no_API_route_for_any_Host_header(ServiceForm form)
    {
        var service = await services.InAsync(form);

        await MustAllBe404Async(service.Management, service.Api, ApiRoutes);
    }

    [Fact]
    public async Task The_two_ports_serve_different_root_pages()
    {
        var service = await services.InAsync(ServiceForm.Any);

        var api = (await service.Api.GetAsync("/")).MustBe(200);
        var dashboard = (await service.Management.GetAsync("/")).MustBe(200);

        Assert.Equal("text/html", dashboard.MediaType);
        Assert.NotEqual(api.Text, dashboard.Text);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_single_port_serves_the_API_and_management_with_the_dashboard_as_its_root(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, onePort: true, environment: null, PoolApiProcess.Diagnostics);

        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        (await service.Api.GetAsync("/openapi/v1.json")).MustBe(200);
        foreach (var (_, path) in ManagementRoutes)
            (await service.Api.GetAsync(path)).MustBe(200);
        Assert.Equal("text/html", (await service.Api.GetAsync("/")).MustBe(200).MediaType);
    }

    private static async Task MustAllBe404Async(Endpoint asked, Endpoint other, (string Method, string Path)[] routes)
    {
        foreach (var (method, path) in routes)
        {
            foreach (string host in new[] { $"127.0.0.1:{asked.Port}", $"127.0.0.1:{other.Port}", $"localhost:{other.Port}" })
            {
                using var connection = await RawConnection.OpenAsync(asked.Port);
                var answer = await connection.AskAsync(method, path, host);
                Assert.True(answer.Status == 404, $"{method} {path} with Host {host}: {answer.Status}");
            }

            // A request target in absolute form names a host of its own.
            using var direct = await RawConnection.OpenAsync(asked.Port);
            var absolute = await direct.AskAsync(method, $"http://127.0.0.1:{other.Port}{path}", $"127.0.0.1:{other.Port}");
            Assert.True(absolute.Status is 400 or 404, $"{method} {path} in absolute form: {absolute.Status}");
        }
    }
}
