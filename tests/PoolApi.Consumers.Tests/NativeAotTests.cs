namespace PoolApi.Consumers.Tests;

/// <summary>
/// An app that is written for Native AOT. Here it runs on the ordinary runtime, but with request delegates and JSON code that are generated at
/// build time, as in a native program. Its build also runs the analyzers for trimming and AOT.
/// </summary>
public sealed class NativeAotTests
{
    [Fact]
    public async Task Generated_request_delegates_enter_the_pool_as_reflected_ones_do()
    {
        await using WebApplication app = NativeAot.Program.Build(["--urls", "http://127.0.0.1:0", "--Logging:LogLevel:Default=None"]);
        await app.StartAsync(ConsumerApp.Token);
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(app.Urls.Single()) };
        foreach (var (path, body, expected) in ((string, string?, string)[])
            [
                ("/handler/7", null, """{"id":7,"thread":"cpu-?"}"""),
                ("/body", """{"id":8,"thread":""}""", """{"id":8,"thread":"io-?"}"""),
                ("/attribute", """{"id":9,"thread":""}""", """{"id":9,"thread":"io-?"}"""),
                ("/lazy", null, """["cpu-?","cpu-?"]"""),
                ("/legacy/any", null, "io-?"),
            ])
        {
            using HttpResponseMessage response = body is null
                ? await client.GetAsync(new Uri(path, UriKind.Relative), ConsumerApp.Token)
                : await client.PostAsync(new Uri(path, UriKind.Relative), new StringContent(body, null, "application/json"), ConsumerApp.Token);
            string answer = await response.Content.ReadAsStringAsync(ConsumerApp.Token);
            Assert.Equal((path, expected), (path, answer.Replace("-0", "-?", StringComparison.Ordinal).Replace("-1", "-?", StringComparison.Ordinal)));
        }
        await app.StopAsync(ConsumerApp.Token);
    }
}
