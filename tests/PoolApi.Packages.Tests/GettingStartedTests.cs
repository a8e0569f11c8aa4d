using System.Diagnostics;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PoolApi.Packages.Tests;

/// <summary>Follows docs/getting-started.md to the letter, outside of the repository. Only the feed exists already.</summary>
public sealed partial class GettingStartedTests(LocalFeed feed)
{
    [Fact]
    public async Task The_app_of_the_page_builds_and_its_responses_match_the_page()
    {
        string page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "getting-started.md"), TestContext.Current.CancellationToken);
        string[] commands = [.. Commands().Matches(Program().Replace(page, "")).Select(static block => block.Groups[1].Value)];
        Assert.Equal(4, commands.Length); // pack, make the app, call it, overload it
        Assert.StartsWith("dotnet pack ", commands[0], StringComparison.Ordinal);
        await ProgramRun.ApartAsync(feed.Workspace, "bash", "-e", "-c", commands[1]);
        string folder = Path.Combine(feed.Workspace, "Shop");
        await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), Program().Match(page).Groups[1].Value, TestContext.Current.CancellationToken);
        await ProgramRun.ApartAsync(folder, "dotnet", "build", "-c", "Release", "-v:q", "-nologo", "-warnaserror");
        await using RunningApp app = await RunningApp.ListenAsync(folder, "dotnet", Path.Combine(folder, "bin", "Release", "net10.0", "Shop.dll"));

        string answers = await RunAsync(app, commands[2]);
        Assert.Matches(@"^100 ms on cpu-\d", answers);
        Assert.Matches(@"HTTP/1.1 202 Accepted[^}]*\nLocation: jobs/[0-9a-f-]{36}\n", answers);
        Assert.Contains("\"kind\":\"nap\"", answers, StringComparison.Ordinal);

        // A busy machine sends the requests so slowly that two workers keep up with naps of a second, so the naps get longer there. The last request
        // waits for five naps, and may wait for 30 s.
        string overload = commands[3].Replace("ms=1000", $"ms={Math.Min(4000, MachineLoad.Stretch(1000))}", StringComparison.Ordinal);
        string[] statuses = (await RunAsync(app, overload)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(30, statuses.Length);
        Assert.InRange(statuses.Count(static status => status == "200"), 12, 29);
        Assert.All(statuses, static status => Assert.Contains(status, (string[])["200", "503"]));
        Assert.Contains("<html", await app.GetAsync("/ops/pools/"), StringComparison.Ordinal);
        await app.GetAsync("/readyz");
        await app.StopAsync();
    }

    [Fact]
    public async Task The_command_of_the_page_adds_the_package_folder_as_a_NuGet_source()
    {
        string page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "getting-started.md"), TestContext.Current.CancellationToken);
        using var folder = new TemporaryFolder();
        string settings = folder.File("nuget.config");
        await File.WriteAllTextAsync(settings, "<configuration />", TestContext.Current.CancellationToken);
        await ProgramRun.ApartAsync(folder.Path, "bash", "-c", $"{Source().Match(page).Value} --configfile {settings}"); // not the machine's own settings
        XElement source = Assert.Single(XDocument.Load(settings).Descendants("packageSources").Elements());
        Assert.Equal(("poolapi", folder.File("feed")), ((string?)source.Attribute("key"), (string?)source.Attribute("value")));
    }

    private static async Task<string> RunAsync(RunningApp app, string commands)
    {
        string here = commands.Replace("http://localhost:5000", app.Client.BaseAddress!.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal);
        string output = (await ProgramRun.ToEndAsync(new ProcessStartInfo("bash", ["-e", "-c", here.Replace("curl ", "curl -sS ", StringComparison.Ordinal)]), Patience.Long)).MustSucceed().Text;
        return output.Replace("\r", "", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^```\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Commands();

    [GeneratedRegex("^dotnet nuget add source .*$", RegexOptions.Multiline)]
    private static partial Regex Source();

    [GeneratedRegex(@"^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Program();
}
