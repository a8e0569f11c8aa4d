using System.Net;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc.Testing;

namespace PoolApi.Consumers.Tests;

/// <summary>The sample of an app with jobs on SQLite.</summary>
public sealed class JobsSampleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task A_request_becomes_a_job_whose_result_is_what_the_handler_answers()
    {
        await using var sample = new Sample(_folder.File("jobs.db"));
        using HttpClient client = sample.CreateClient();
        string direct = await (await SendAsync(client, HttpMethod.Post, "/reports/2026")).Content.ReadAsStringAsync(ConsumerApp.Token);
        Assert.StartsWith("2026-01 31 days\n", direct, StringComparison.Ordinal);

        using HttpResponseMessage accepted = await SendAsync(client, HttpMethod.Post, "/reports/2026", ("Prefer", "respond-async"));
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        var job = new Uri(accepted.RequestMessage!.RequestUri!, accepted.Headers.Location!);
        Assert.StartsWith("/jobs/", job.AbsolutePath, StringComparison.Ordinal);

        JsonElement ended = await JsonAsync(await SendAsync(client, HttpMethod.Get, job.AbsolutePath, ("Prefer", "wait=60")));
        Assert.Equal(
            ("succeeded", "report", 5),
            (ended.GetProperty("state").GetString(), ended.GetProperty("kind").GetString(), ended.GetProperty("maxAttempts").GetInt32()));
        var result = new Uri(job, ended.GetProperty("links").GetProperty("result").GetString()!);
        Assert.Equal(direct, await (await SendAsync(client, HttpMethod.Get, result.AbsolutePath)).Content.ReadAsStringAsync(ConsumerApp.Token));
    }

    [Fact]
    public void The_README_shows_the_sample() => Assert.Contains(
        "```csharp\n" + Read("Jobs.Program.cs").Replace("using JobsSample;\n\n", "", StringComparison.Ordinal) + "```\n", Read("Jobs.README.md"), StringComparison.Ordinal);

    public void Dispose() => _folder.Dispose();

    private static string Read(string resource)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)!);
        return reader.ReadToEnd().TrimStart('\uFEFF');
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        return await client.SendAsync(request, ConsumerApp.Token);
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsStringAsync(ConsumerApp.Token)).RootElement;

    private sealed class Sample(string file) : WebApplicationFactory<JobsSample.Reports>
    {
        protected override void ConfigureWebHost(IWebHostBuilder builder) =>
            builder.UseSetting("JobsFile", file).ConfigureLogging(static logging => logging.ClearProviders());
    }
}
