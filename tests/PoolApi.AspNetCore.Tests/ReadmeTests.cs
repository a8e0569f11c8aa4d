using System.Net;
using Microsoft.AspNetCore.TestHost;

namespace PoolApi.AspNetCore.Tests;

/// <summary>The README's snippet compiles with the usings of a new web project (the others here are for the test itself), and works.</summary>
public class ReadmeTests
{
    public sealed record Scene(string Name);

    [Fact]
    public async Task The_snippet_for_your_own_app_compiles_and_works()
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder();
        builder.WebHost.UseTestServer();
        builder.Services.AddFixedThreadPool("cpu");
        await using WebApplication app = builder.Build();
        app.MapPost("/render", (Scene scene) => $"{scene.Name} on {Thread.CurrentThread.Name}").RunOnPool();
        app.MapPoolHealth();
        app.MapPoolWorkers();
        CancellationToken token = TestContext.Current.CancellationToken;
        await app.StartAsync(token);
        using HttpClient http = app.GetTestClient();

        using HttpResponseMessage answer = await http.PostAsJsonAsync("/render", new Scene("a house"), token);

        Assert.StartsWith("a house on cpu-", await answer.Content.ReadAsStringAsync(token), StringComparison.Ordinal);
        foreach (string path in new[] { "/livez", "/readyz", "/startupz", "/v1/workers" })
            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(path, token)).StatusCode);
        await app.StopAsync(token);
    }
}
