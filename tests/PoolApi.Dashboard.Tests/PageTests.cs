using System.Net;
using Microsoft.AspNetCore.TestHost;

namespace PoolApi.Dashboard.Tests;

public class PageTests
{
    [Fact]
    public async Task An_app_with_a_pool_maps_the_dashboard_with_one_line()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 1);
        await using WebApplication app = builder.Build();
        app.MapPoolDashboard("/ops/pools");
        await app.StartAsync(TestContext.Current.CancellationToken);

        using HttpResponseMessage answer = await app.GetTestClient().GetAsync("/ops/pools/", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("text/html", answer.Content.Headers.ContentType?.MediaType);
    }
}
