namespace PoolApi.Deploy.Tests;

/// <summary>README.md is one screen of why, one of how, and links: what it could say at length stands on a page of its own.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public void The_README_is_short() => Assert.InRange(File.ReadAllLines(Path.Combine(Repository.Root, "README.md")).Length, 40, 90);
}
