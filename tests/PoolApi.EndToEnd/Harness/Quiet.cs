using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(HeavyFirst))]

namespace PoolApi.EndToEnd.Harness;

/// <summary>Tests that measure how long requests take: each runs alone, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Quiet
{
    /// <summary>Its name.</summary>
    public const string Name = "quiet";
}

/// <summary>Long tests that take much CPU or memory, or observe a process for long. They run one at a time, beside the other tests.</summary>
[CollectionDefinition(Name)]
public sealed class Heavy
{
    /// <summary>Its name.</summary>
    public const string Name = "heavy";
}

/// <summary>Starts the longest collection first, so that the test run does not wait for it at the end.</summary>
public sealed class HeavyFirst : ITestCollectionOrderer
{
    /// <inheritdoc />
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(static collection => collection.TestCollectionDisplayName == Heavy.Name ? 0 : 1)];
}
