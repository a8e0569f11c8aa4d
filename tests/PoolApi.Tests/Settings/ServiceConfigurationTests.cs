using PoolApi.Settings;

namespace PoolApi.Tests.Settings;

/// <summary>A command reads the settings as the service does: from the same files and arguments, in the same order.</summary>
/// <remarks>HealthcheckTests of PoolApi.EndToEnd tests the environment variables, which the whole process of these tests shares.</remarks>
public sealed class ServiceConfigurationTests
{
    [Theory]
    [InlineData]
    [InlineData("--Management:Urls", "http://127.0.0.1:1")]
    [InlineData("--Urls=http://127.0.0.1:2", "/Management:Urls", "http://127.0.0.1:3")]
    [InlineData("--environment", "Staging")]
    [InlineData("--environment", "Staging", "--Management:Urls", "http://127.0.0.1:4")]
    public void A_command_reads_the_same_settings_as_the_host(params string[] args)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("appsettings.json"), """{ "Management": { "Urls": "http://127.0.0.1:5" }, "Urls": "http://127.0.0.1:6" }""");
        File.WriteAllText(folder.File("appsettings.Staging.json"), """{ "Management": { "Urls": "http://127.0.0.1:7" } }""");
        string[] all = [.. args, "--ContentRoot", Path.GetDirectoryName(folder.File("x"))!];

        using ConfigurationManager host = WebApplication.CreateSlimBuilder(ContentRoot.Options(all)).Configuration;
        IConfiguration command = ServiceConfiguration.Read(all);

        foreach (string key in (string[])["Management:Urls", "Urls", "HTTP_PORTS"]) Assert.Equal((key, host[key]), (key, command[key]));
        Assert.StartsWith("http://127.0.0.1:", command["Management:Urls"], StringComparison.Ordinal);
    }
}
