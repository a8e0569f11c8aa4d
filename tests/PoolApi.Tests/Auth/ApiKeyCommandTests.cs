using System.Net;
using System.Text.RegularExpressions;
using PoolApi.Settings;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Auth;

/// <summary>`PoolApi keys new` prints a new key and the lines to store. The service accepts the key once one of the lines is stored.</summary>
public sealed partial class ApiKeyCommandTests : IDisposable
{
    private const string NotExported = "A shell cannot export a variable";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("alice")]
    [InlineData("_Nightly_2_")]
    [InlineData("bob.2-b")]
    [InlineData("a__b")]
    public async Task The_service_accepts_the_new_key_once_either_printed_line_is_stored(string client)
    {
        string said = await RunAsync(0, "new", client);
        string key = Assert.Single(Key().Matches(said)).Groups[1].Value;
        Match entry = Assert.Single(Entry().Matches(said));
        Match variable = Variable().Match(said);
        Assert.Equal(client, entry.Groups[2].Value);
        Assert.DoesNotContain(key, entry.Value + variable.Value, StringComparison.Ordinal);

        string file = _folder.File("keys.json");
        await File.WriteAllTextAsync(file, $"{{ {entry.Groups[1].Value} }}", ServiceApp.Token);
        await AssertOpensAsync(key, ("Auth:KeysFile", file));
        if (!variable.Success) return;
        string setting = variable.Groups[1].Value.Replace("__", ":", StringComparison.Ordinal); // as the configuration reads the environment
        await AssertOpensAsync(key, (setting, variable.Groups[2].Value));
    }

    [Theory]
    [InlineData("alice", true, false)]
    [InlineData("_Nightly_2_", true, false)]
    [InlineData("bob-2", true, true)]
    [InlineData("bob.2", true, true)]
    [InlineData("a__b", false, false)] // in the environment it means a section a with an entry b
    [InlineData("a__b.2", false, false)]
    public async Task The_command_prints_no_variable_that_cannot_hold_the_name_and_warns_if_no_shell_exports_it(string client, bool hasVariable, bool needsMore)
    {
        string said = await RunAsync(0, "new", client);
        Assert.Equal((hasVariable, needsMore), (Variable().IsMatch(said), said.Contains(NotExported, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("A key is made by: PoolApi keys new CLIENT")]
    [InlineData("A key is made by: PoolApi keys new CLIENT", "new")]
    [InlineData("A key is made by: PoolApi keys new CLIENT", "old", "alice")]
    [InlineData("A key is made by: PoolApi keys new CLIENT", "new", "alice", "bob")]
    [InlineData("'' is no name for a client; it must be 1 to 64 ASCII letters", "new", "")]
    [InlineData("'a b' is no name for a client; it must be 1 to 64 ASCII letters", "new", "a b")]
    [InlineData("'a:b' is no name for a client; it must be 1 to 64 ASCII letters", "new", "a:b")]
    public async Task Wrong_arguments_make_no_key(string fault, params string[] args)
    {
        string said = await RunAsync(StartFaults.ExitCode, args);
        Assert.StartsWith(fault, said, StringComparison.Ordinal);
        Assert.DoesNotMatch(Key(), said);
    }

    /// <summary>Runs the command.</summary>
    /// <returns>The text that the command wrote to the captured console.</returns>
    private static async Task<string> RunAsync(int exitCode, params string[] args)
    {
        Assert.Equal(exitCode, await CommandLine.RunAsync(["keys", .. args]));
        return TestContext.Current.TestOutputHelper!.Output;
    }

    private static async Task AssertOpensAsync(string key, (string Key, string Value) setting)
    {
        await using ServiceApp app = ServiceApp.With(("Jobs:Store", "none"), setting);
        HttpClient client = app.CreateClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/diagnostics/noop") { Headers = { { "X-Api-Key", key } } };
        using HttpResponseMessage answer = await client.SendAsync(request, ServiceApp.Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await ServiceApp.AssertProblem(await client.GetAsync("/v1/diagnostics/noop", ServiceApp.Token), 401, "unauthorized");
    }

    [GeneratedRegex(@"^  (pk_[0-9a-f]{64})$", RegexOptions.Multiline)]
    private static partial Regex Key();

    [GeneratedRegex(@"^  (Auth__ApiKeys__\S+)=(sha256:[0-9a-f]{64})$", RegexOptions.Multiline)]
    private static partial Regex Variable();

    [GeneratedRegex(@"^  (""(\S+)"": ""sha256:[0-9a-f]{64}"")$", RegexOptions.Multiline)]
    private static partial Regex Entry();
}
