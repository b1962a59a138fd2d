"""The words, with the forms that the three languages need.

Each table has a word a line. A form `a/b` is singular and plural; without a
slash the plural is regular (`-s` in English and French). A `_` parts words.
"""

from dataclasses import dataclass

# English; French, gender; German, gender (w: weak declension); classes.
_NOUNS = """
man/men          homme m            Mann/Männer m              person
woman/women      femme f            Frau/Frauen f              person
child/children   enfant m           Kind/Kinder n              person
boy              garçon m           Junge/Jungen mw            person
girl             fille f            Mädchen/Mädchen n          person
teacher          professeur m       Lehrer/Lehrer m            person
doctor           médecin m          Arzt/Ärzte m               person
farmer           fermier m          Bauer/Bauern mw            person
student          étudiant m         Student/Studenten mw       person
mother           mère f             Mutter/Mütter f            person
father           père m             Vater/Väter m              person
sister           sœur f             Schwester/Schwestern f     person
brother          frère m            Bruder/Brüder m            person
uncle            oncle m            Onkel/Onkel m              person
queen            reine f            Königin/Königinnen f       person
king             roi m              König/Könige m             person
baker            boulanger m        Bäcker/Bäcker m            person
soldier          soldat m           Soldat/Soldaten mw         person
dog              chien m            Hund/Hunde m               animal
cat              chat m             Katze/Katzen f             animal
horse            cheval/chevaux m   Pferd/Pferde n             animal
bird             oiseau/oiseaux m   Vogel/Vögel m              animal
cow              vache f            Kuh/Kühe f                 animal
goat             chèvre f           Ziege/Ziegen f             animal
book             livre m            Buch/Bücher n              text thing
letter           lettre f           Brief/Briefe m             text thing
newspaper        journal/journaux m Zeitung/Zeitungen f        text thing
poem             poème m            Gedicht/Gedichte n         text
song             chanson f          Lied/Lieder n              text
apple            pomme f            Apfel/Äpfel m              food
cake             gâteau/gâteaux m   Kuchen/Kuchen m            food
egg              œuf m              Ei/Eier n                  food
potato/potatoes  pomme_de_terre/pommes_de_terre f  Kartoffel/Kartoffeln f  food
bread            pain m             Brot/Brote n               food
car              voiture f          Auto/Autos n               vehicle
train            train m            Zug/Züge m                 vehicle
boat             bateau/bateaux m   Boot/Boote n               vehicle
bus/buses        bus/bus m          Bus/Busse m                vehicle
bicycle          vélo m             Fahrrad/Fahrräder n        vehicle
shirt            chemise f          Hemd/Hemden n              clothing
hat              chapeau/chapeaux m Hut/Hüte m                 clothing
dress/dresses    robe f             Kleid/Kleider n            clothing
table            table f            Tisch/Tische m             thing
lamp             lampe f            Lampe/Lampen f             thing
key              clé f              Schlüssel/Schlüssel m      thing
bag              sac m              Tasche/Taschen f           thing
knife/knives     couteau/couteaux m Messer/Messer n            thing
box/boxes        boîte f            Kiste/Kisten f             thing
picture          tableau/tableaux m Bild/Bilder n              thing
flower           fleur f            Blume/Blumen f             thing
ball             ballon m           Ball/Bälle m               thing
window           fenêtre f          Fenster/Fenster n          opening
door             porte f            Tür/Türen f                opening
house            maison f           Haus/Häuser n              building place
school           école f            Schule/Schulen f           building place
church/churches  église f           Kirche/Kirchen f           building place
castle           château/châteaux m Schloss/Schlösser n        building place
bridge           pont m             Brücke/Brücken f           building
museum           musée m            Museum/Museen n            building place
hospital         hôpital/hôpitaux m Krankenhaus/Krankenhäuser n  building place
station          gare f             Bahnhof/Bahnhöfe m         building place
garden           jardin m           Garten/Gärten m            place
kitchen          cuisine f          Küche/Küchen f             place
park             parc m             Park/Parks m               place
forest           forêt f            Wald/Wälder m              place
village          village m          Dorf/Dörfer n              place
"""

# English; French m. sg., f. sg., m. pl., f. pl. (the form before a vowel);
# whether it stands before the noun; German stem; classes.
_ADJECTIVES = """
small     petit petite petits petites            before  klein     *
big       grand grande grands grandes            before  groß      *
old       vieux vieille vieux vieilles vieil     before  alt       *
young     jeune jeune jeunes jeunes              before  jung      person animal
pretty    joli jolie jolis jolies                before  hübsch    person clothing place
new       nouveau nouvelle nouveaux nouvelles nouvel  before  neu  vehicle clothing thing building text
happy     heureux heureuse heureux heureuses     after   glücklich person
sad       triste triste tristes tristes          after   traurig   person animal text
tired     fatigué fatiguée fatigués fatiguées    after   müde      person animal
friendly  gentil gentille gentils gentilles      after   freundlich  person animal
rich      riche riche riches riches              after   reich     person
poor      pauvre pauvre pauvres pauvres          after   arm       person
strong    fort forte forts fortes                after   stark     person animal
clever    intelligent intelligente intelligents intelligentes  after  klug  person animal
red       rouge rouge rouges rouges              after   rot       vehicle clothing thing
blue      bleu bleue bleus bleues                after   blau      vehicle clothing thing
green     vert verte verts vertes                after   grün      vehicle clothing thing opening
white     blanc blanche blancs blanches          after   weiß      clothing thing building opening
black     noir noire noirs noires                after   schwarz   animal vehicle clothing thing
yellow    jaune jaune jaunes jaunes              after   gelb      vehicle clothing thing
brown     brun brune bruns brunes                after   braun     animal clothing thing
cheap     bon_marché bon_marché bon_marché bon_marché  after  billig  vehicle clothing thing
clean     propre propre propres propres          after   sauber    clothing opening vehicle
heavy     lourd lourde lourds lourdes            after   schwer    thing
fresh     frais fraîche frais fraîches           after   frisch    food
cold      froid froide froids froides            after   kalt      food place
warm      chaud chaude chauds chaudes            after   warm      food clothing
broken    cassé cassée cassés cassées            after   kaputt    opening
long      long longue longs longues              before  lang      text
famous    célèbre célèbre célèbres célèbres      after   berühmt   text building
"""

# English base, 3rd sg.; French present 3rd sg., pl., future stem; German
# present 3rd sg., pl., infinitive (a bar parts a separable prefix); subject
# classes; object classes.
_VERBS = """
see sees          voit voient verr              sieht sehen sehen              person animal : person animal thing building vehicle
hear hears        entend entendent entendr      hört hören hören               person animal : person animal
know knows        connaît connaissent connaîtr  kennt kennen kennen            person : person building text
like likes        aime aiment aimer             mag mögen mögen                person : food clothing animal text place
love loves        adore adorent adorer          liebt lieben lieben            person : person animal
follow follows    suit suivent suivr            verfolgt verfolgen verfolgen   person animal : person animal vehicle
help helps        aide aident aider             unterstützt unterstützen unterstützen  person : person
find finds        trouve trouvent trouver       findet finden finden           person animal : thing animal food
buy buys          achète achètent achèter       kauft-ein kaufen-ein ein|kaufen            person : food vehicle clothing thing
sell sells        vend vendent vendr            verkauft verkaufen verkaufen   person : food vehicle clothing thing
read reads        lit lisent lir                liest-durch lesen-durch durch|lesen              person : text
write writes      écrit écrivent écrir          schreibt-auf schreiben-auf auf|schreiben   person : text
eat eats          mange mangent manger          isst-auf essen-auf auf|essen               person animal : food
cook cooks        cuit cuisent cuir             kocht kochen kochen            person : food
wear wears        porte portent porter          hat-an haben-an an|haben            person : clothing
wash washes       lave lavent laver             wäscht waschen waschen         person : clothing vehicle animal
paint paints      peint peignent peindr         malt malen malen               person : building animal person
drive drives      conduit conduisent conduir    fährt fahren fahren            person : vehicle
repair repairs    répare réparent réparer       repariert reparieren reparieren  person : vehicle thing opening
draw draws        dessine dessinent dessiner    zeichnet-ab zeichnen-ab ab|zeichnen     person : animal person building
visit visits      visite visitent visiter       besucht besuchen besuchen      person : person building
carry carries     transporte transportent transporter  trägt-weg tragen-weg weg|tragen  person : thing
open opens        ouvre ouvrent ouvrir          macht-auf machen-auf auf|machen  person : opening thing
close closes      ferme ferment fermer          macht-zu machen-zu zu|machen   person : opening
call calls        appelle appellent appeller    ruft-an rufen-an an|rufen      person : person
invite invites    invite invitent inviter       lädt-ein laden-ein ein|laden   person : person
show shows        montre montrent montrer       zeigt zeigen zeigen            person : thing building text
forget forgets    oublie oublient oublier       vergisst vergessen vergessen   person : thing text
describe describes  décrit décrivent décrir     beschreibt beschreiben beschreiben  person : person building text
watch watches     regarde regardent regarder    schaut-an schauen-an an|schauen  person animal : animal person vehicle
lose loses        perd perdent perdr            verliert verlieren verlieren   person : thing clothing
steal steals      vole volent voler             nimmt-weg nehmen-weg weg|nehmen        person animal : food thing
pull pulls        tire tirent tirer             zieht ziehen ziehen            person animal : vehicle
build builds      construit construisent construir  baut bauen bauen           person : building vehicle
"""

# The progressive, which becomes one word: is looking for, cherche, sucht.
_PROGRESSIVES = """
looking for       cherche cherchent chercher    sucht suchen suchen            person animal : person animal thing food
waiting for       attend attendent attendr      erwartet erwarten erwarten     person : person vehicle
listening to      écoute écoutent écouter       hört-an hören-an an|hören  person : person animal
paying for        paie paient paier             bezahlt bezahlen bezahlen      person : food clothing thing
"""

# English (he or she), as it stands in all three languages.
MEN = ("Paul", "Martin", "Thomas", "David", "Simon", "Daniel", "Robert", "Victor")
WOMEN = ("Anna", "Julia", "Laura", "Martha", "Sarah", "Emma", "Clara", "Sophie")

# English, French, German: adverbs of the middle of the sentence.
ADVERBS = (
    ("often", "souvent", "oft"),
    ("always", "toujours", "immer"),
    ("sometimes", "parfois", "manchmal"),
    ("rarely", "rarement", "selten"),
    ("already", "déjà", "schon"),
    ("gladly", "volontiers", "gern"),
)

# English, French, German with the dative; several words become one and back.
PREPOSITIONS = (
    ("in", "dans", "in"),
    ("behind", "derrière", "hinter"),
    ("in front of", "devant", "vor"),
    ("near", "près de", "bei"),
    ("next to", "à côté de", "neben"),
)

# English, French, German: determiners without gender.
NUMERALS = (
    ("two", "deux", "zwei"),
    ("three", "trois", "drei"),
    ("four", "quatre", "vier"),
    ("five", "cinq", "fünf"),
)

# English 3rd sg., pl.; French sg., pl.; German sg., pl.: with a clause after.
REPORTS = (
    ("says", "say", "dit", "disent", "sagt", "sagen"),
    ("thinks", "think", "pense", "pensent", "denkt", "denken"),
    ("believes", "believe", "croit", "croient", "glaubt", "glauben"),
    ("hopes", "hope", "espère", "espèrent", "hofft", "hoffen"),
)


@dataclass(frozen=True)
class Noun:
    english: tuple[str, str]  # singular, plural
    french: tuple[str, str]
    french_gender: str
    german: tuple[str, str]
    german_gender: str
    weak: bool
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Adjective:
    english: str
    french: tuple[str, ...]  # m. sg., f. sg., m. pl., f. pl.
    french_before_vowel: str  # m. sg.
    before: bool
    german: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Verb:
    english: tuple[str, str]  # base, 3rd sg.; or participle, preposition
    progressive: bool
    french: tuple[str, str]  # 3rd sg., pl.
    french_future: str  # stem
    german: tuple[str, str]
    german_prefix: str
    german_infinitive: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]


def _forms(word, plural=None):
    singular, _, given = word.partition("/")
    if not given:
        given = singular + "s" if plural is None else plural(singular)
    return singular, given


def _nouns():
    for line in _NOUNS.strip().splitlines():
        english, french, french_gender, german, german_gender, *classes = line.split()
        yield Noun(
            _forms(english),
            _forms(french),
            french_gender,
            _forms(german),
            german_gender[0],
            german_gender.endswith("w"),
            tuple(classes),
        )


def _adjectives():
    for line in _ADJECTIVES.strip().splitlines():
        words = line.split()
        place = "before" if "before" in words else "after"
        split = words.index(place)
        english, *french = words[:split]
        german, *classes = words[split + 1 :]
        special = french.pop() if len(french) == 5 else french[0]
        yield Adjective(
            english, tuple(french), special, place == "before", german, tuple(classes)
        )


def _verbs(table, progressive):
    for line in table.strip().splitlines():
        forms, objects = line.split(" : ")
        first, second, sg, pl, future, de_sg, de_pl, infinitive, *subjects = (
            forms.split()
        )
        german_sg, _, prefix = de_sg.partition("-")
        yield Verb(
            (first, second),
            progressive,
            (sg, pl),
            future,
            (german_sg, de_pl.partition("-")[0]),
            prefix,
            infinitive.replace("|", ""),
            tuple(subjects),
            tuple(objects.split()),
        )


NOUNS = tuple(_nouns())
ADJECTIVES = tuple(_adjectives())
VERBS = (*_verbs(_VERBS, False), *_verbs(_PROGRESSIVES, True))
