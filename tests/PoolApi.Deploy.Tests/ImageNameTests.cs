using System.Text.RegularExpressions;

namespace PoolApi.Deploy.Tests;

/// <summary>Compose builds the images that deploy/README.md runs, and the manifests for Kubernetes name the image of this version.</summary>
public sealed partial class ImageNameTests
{
    [Fact]
    public void Every_image_that_the_page_runs_is_named_in_the_compose_file()
    {
        string[] made = [.. Image().Matches(Read("docker-compose.yml")).Select(static image => image.Groups[1].Value)];
        string[] run = [.. Run().Matches(Read("deploy", "README.md")).Select(static command => command.Groups[1].Value)];
        Assert.NotEmpty(run);
        Assert.Empty(run.Except(made));
    }

    [Fact]
    public void The_manifests_for_Kubernetes_run_the_image_of_this_version() => Assert.Equal(
        Version().Match(Read("Directory.Build.props")).Groups[1].Value,
        Assert.Single(Tag().Matches(Read("deploy", "kubernetes", "base", "kustomization.yaml"))).Groups[1].Value);

    private static string Read(params string[] path) => File.ReadAllText(Path.Combine([Repository.Root, .. path]));

    [GeneratedRegex(@"^\s*image: (\S+)", RegexOptions.Multiline)]
    private static partial Regex Image();

    [GeneratedRegex("<VersionPrefix>(.+)</VersionPrefix>")]
    private static partial Regex Version();

    [GeneratedRegex(@"^\s*newTag: (\S+)$", RegexOptions.Multiline)]
    private static partial Regex Tag();

    // The options of these commands take no value.
    [GeneratedRegex(@"docker run (?:-\S+ )*([^\s`]+)")]
    private static partial Regex Run();
}
