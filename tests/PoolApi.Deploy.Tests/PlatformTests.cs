using System.Text.Json.Nodes;

namespace PoolApi.Deploy.Tests;

/// <summary>The service is restored for one platform at a time, and each platform has its own lock files. An update of a package must change both.</summary>
public sealed class PlatformTests
{
    private const string AnyPlatform = "net10.0";

    private static readonly string[] Folders =
    [
        .. File.ReadLines(Path.Combine(Repository.Root, "Dockerfile"))
            .Where(static line => line.StartsWith("COPY src/", StringComparison.Ordinal) && line.Contains(".csproj", StringComparison.Ordinal))
            .Select(static line => Path.Combine(Repository.Root, line.Split(' ')[^1])),
    ];

    [Fact]
    public void The_lock_files_of_arm64_have_the_packages_of_x64()
    {
        Assert.Equal(8, Folders.Length);
        Assert.All(Folders, static folder =>
        {
            JsonObject x64 = Packages(folder, "packages.lock.json"), arm64 = Packages(folder, "packages.linux-arm64.lock.json");
            Assert.Equal([AnyPlatform, "net10.0/linux-x64"], x64.Select(static platform => platform.Key));
            Assert.Equal([AnyPlatform, "net10.0/linux-arm64"], arm64.Select(static platform => platform.Key));
            Assert.True(
                JsonNode.DeepEquals(x64[AnyPlatform], arm64[AnyPlatform]),
                $"{folder}: the lock files differ. Run: dotnet restore src/PoolApi -r linux-arm64 --force-evaluate");
        });
    }

    private static JsonObject Packages(string folder, string file) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(folder, file)))!["dependencies"]!.AsObject();
}
