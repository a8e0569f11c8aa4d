namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// Whether the explorer would find a fault: each of these is planted in the kernel's source, and must be found. A search that
/// finds nothing says something only if it finds these.
/// </summary>
[Collection(nameof(InterleavingTests))]
public sealed class PlantedFaultTests
{
    // What a short run explores has to show every fault.
    private static readonly long Most = InterleavingTests.FewSchedules * Scenarios.All.Count;

    // On a kernel with more steps than the one of InterleavingTests, and so beside theirs.
    private static readonly long CleanOfEach = LongTests.Wanted ? 7_000 : 700;

    public static TheoryData<string> Names => [.. PlantedFaults.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_explorer_finds_that(string fault)
    {
        (string? failure, long schedules) = PatchedKernel.Explore(PlantedFaults.All[fault], seed: 1, Most, slice: 50);
        Assert.True(failure is not null, $"not found in {schedules} schedules");
        TestContext.Current.TestOutputHelper?.WriteLine($"found after {schedules} schedules: {failure.Split('\n')[0]}");
    }

    [Fact]
    public void The_explorer_finds_nothing_in_the_kernel_as_it_is()
    {
        ulong seed = (ulong)Random.Shared.NextInt64();
        (string? failure, long schedules) = PatchedKernel.Explore([], seed, CleanOfEach * Scenarios.All.Count, slice: CleanOfEach);
        TestContext.Current.TestOutputHelper?.WriteLine($"{schedules} schedules, base seed {seed}");
        Assert.True(failure is null, failure);
    }

    [Fact]
    public void A_patch_whose_place_has_gone_is_no_patch() =>
        Assert.Throws<InvalidOperationException>(static () => PatchedKernel.Explore([new Patch("Gate.cs", "not there", "")], 1, 1, 1));
}
