using System.Text.RegularExpressions;

namespace PoolApi.Deploy.Tests;

/// <summary>What a reader of deploy/README.md runs is there once compose is up.</summary>
public sealed partial class ImageNameTests
{
    [Fact]
    public void Every_image_that_the_page_runs_is_one_of_compose()
    {
        string[] made = [.. Image().Matches(Read("docker-compose.yml")).Select(static image => image.Groups[1].Value)];
        string[] run = [.. Run().Matches(Read("deploy", "README.md")).Select(static command => command.Groups[1].Value)];
        Assert.NotEmpty(run);
        Assert.Empty(run.Except(made));
    }

    private static string Read(params string[] path) => File.ReadAllText(Path.Combine([Repository.Root, .. path]));

    [GeneratedRegex(@"^\s*image: (\S+)", RegexOptions.Multiline)]
    private static partial Regex Image();

    // The options of these commands have no value of their own.
    [GeneratedRegex(@"docker run (?:-\S+ )*([^\s`]+)")]
    private static partial Regex Run();
}
