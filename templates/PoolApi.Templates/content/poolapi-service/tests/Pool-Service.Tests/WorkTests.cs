using System.Net;
using Microsoft.AspNetCore.Mvc.Testing;
using Xunit;

namespace Pool_Service.Tests;

public sealed class WorkTests(WebApplicationFactory<Program> app) : IClassFixture<WebApplicationFactory<Program>>
{
    [Fact]
    public async Task Work_runs_on_a_worker_of_the_pool_and_is_answered()
    {
        using HttpClient client = app.CreateClient();
        using HttpResponseMessage response = await client.GetAsync("/work/1", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("66687AADF862BD776C8FC18B8E9F8E20089714856EE233B3902A591D0D5F2925", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Contains("cpu-", response.Headers.GetValues("Server-Timing").Single());
    }

    [Fact]
    public async Task A_value_that_is_not_a_number_is_refused()
    {
        using HttpClient client = app.CreateClient();
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync("/work/much", TestContext.Current.CancellationToken)).StatusCode);
    }
}
